/**
 * Every kind of fault that the simulation injects, with what it does. A scenario switches a random part of them on, so that
 * each is also seen without the others.
 *
 * The rate of a kind is a probability for each occasion (`Faults.hit`), or, where the text begins with "now and then", a
 * mean number an hour (`Faults.arrivals`). What operators do is in the list too, though it is no fault.
 */
export const FAULT_KINDS = {
  'attack-broker-fetch': 'now and then: somebody asks for readings again and again',
  'attack-broker-forge':
    'now and then: forged, altered or misplaced messages on the topics of readings and of gateways',
  'attack-broker-replay': 'now and then: recorded readings are published again, also on other topics',
  'attack-broker-session': 'now and then: somebody connects with the client id of a gateway or a subscriber',
  'attack-link-flood': 'now and then: somebody opens many connections that say nothing or noise',
  'attack-link-forge': 'now and then: forged frames on a connection of the attacker, or on that of a device',
  'attack-link-replay':
    'now and then: recorded frames are sent again, on the same link or another, up or down',
  'board-boot-cut': 'a board’s power goes at a flash write soon after it starts',
  'board-clone': 'a second board begins to run with a copy of a board’s flash',
  'board-flash-cut': 'now and then: a board’s power goes at one of its next flash writes',
  'board-flash-fail': 'now and then: one of the next flash operations of a board fails half-way',
  'board-power-cut': 'now and then: a board loses power, for milliseconds or minutes',
  'board-restart': 'now and then: a board restarts, as its watchdog makes it do',
  'board-restart-loop': 'now and then: a board restarts many times in a row',
  'board-restore': 'now and then: an older image of a board’s flash is put back',
  'broker-amnesia':
    'now and then: the broker dies and comes back without what it knew, or as of an older save',
  'broker-drop-absent': 'a message is not kept for a client that is away',
  'broker-duplicate': 'a client gets a message twice',
  'broker-forget': 'a message is acknowledged and then lost before anybody gets it',
  'broker-half-session':
    'a kept session is resumed half-way: without its subscriptions, without part of its messages, or with some that were acknowledged',
  'broker-late-ack': 'a PUBACK comes late, by up to 100 s',
  'broker-refuse-connect': 'a CONNACK says no',
  'broker-refuse-publish': 'a PUBACK says no (MQTT 5), or the connection is closed instead (3.1.1)',
  'broker-reset': 'now and then: one connection with the broker is reset',
  'broker-reset-unacknowledged': 'the connection is reset when a message was taken and before its PUBACK',
  'broker-slow': 'now and then: all that goes to or from the broker is slow for a while',
  'broker-stall': 'now and then: the broker stands still for up to 3 min, with all connections open',
  'broker-vanish':
    'now and then: the broker is away for up to 5 min, by reset or in silence, and comes back with what it knew',
  'clock-jump': 'now and then: the gateway’s wall clock is set, forwards or backwards',
  'clock-unsynchronised': 'now and then: nothing says for a while that the gateway’s clock is right',
  'disk-bad-page': 'now and then: a page at rest can’t be read any more; at most 2 of a disk',
  'disk-eio-directory': 'making, renaming, removing, listing or syncing a directory fails',
  'disk-eio-read': 'a read fails once',
  'disk-eio-sync': 'an fdatasync fails; what it was to write is lost though the page cache shows it',
  'disk-eio-write': 'a write fails once',
  'disk-emfile': 'no file can be opened, once',
  'disk-enospc': 'a write, a sync or a create finds no space, once',
  'disk-evict': 'now and then: clean pages are dropped from the page cache and read from the disk again',
  'disk-full': 'now and then: others fill the disk, for seconds to an hour',
  'disk-hang': 'a write, a sync or a read takes 5 s to 2 min',
  'disk-outage': 'now and then: whatever would change the disk fails, for a while',
  'disk-rot': 'now and then: bytes at rest change, in at most 6 places of a disk',
  'disk-short-write': 'a write takes less than it was given',
  'disk-slow': 'a write, a sync or a read takes 50 ms to 5 s',
  'gateway-away': 'now and then: the gateway’s machine has no power for a minute to an hour',
  'gateway-kill': 'now and then: SIGKILL, some time after it began to matter',
  'gateway-kill-effect':
    'now and then: SIGKILL at one of the next awaited effects, before or after it happened',
  'gateway-lost':
    'now and then: the gateway’s machine is gone for good, and another one is restored from its last backup; at most 2 in a run',
  'gateway-power-cut': 'now and then: the gateway’s machine loses power; often again while it starts',
  'gateway-stop': 'now and then: SIGTERM, a clean stop and a start',
  'gateway-zombie':
    'a machine that was taken for lost comes up again for a while, beside the one that goes on for it',
  'link-close': 'now and then: a connection of a device is closed, also in the middle of a frame',
  'link-corrupt': 'bytes of a chunk on a link change',
  'link-cut': 'a connection is closed when part of a chunk has arrived',
  'link-delay': 'a chunk on a link, and what is behind it, comes up to 60 s late',
  'link-drop': 'a chunk on a link, or part of it, is lost',
  'link-duplicate': 'a chunk on a link arrives twice',
  'link-garbage': 'a boot log or noise stands between chunks on a link',
  'link-half-open': 'now and then: one end of a link is gone and the other does not hear of it',
  'link-partition': 'now and then: nothing passes on a link, in either direction, for up to 10 min',
  'link-reorder': 'a chunk on a link overtakes the one before',
  'link-split': 'a chunk on a link arrives in pieces',
  'link-stall': 'now and then: nothing passes on a link in one direction for up to 5 min',
  'operator-backup': 'now and then: the operator takes a backup, with or without the journal',
  'operator-drain': 'now and then: the operator has the backlog published at once',
  'operator-pause': 'now and then: the operator pauses publishing, and resumes it up to an hour later',
  'subscriber-away': 'now and then: a subscriber is stopped, and comes back later',
  'subscriber-forget': 'now and then: a subscriber loses its state',
  'subscriber-keyring-late': 'a subscriber’s keyring learns of a device late',
  'subscriber-kill': 'now and then: SIGKILL for a subscriber, some time after it began to matter',
  'subscriber-kill-effect':
    'now and then: SIGKILL for a subscriber at one of the next awaited effects, before or after it happened',
  'subscriber-power-cut': 'now and then: a subscriber’s machine loses power',
} as const;

export type FaultKind = keyof typeof FAULT_KINDS;
