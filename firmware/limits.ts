/** How far a device goes before it stops, waits or gives up. Tests and boards may choose others. */
export interface DeviceLimits {
  /** Readings sent and not receipted. */
  readonly windowEntries: number;
  readonly windowBytes: number;
  /** How long a sent reading may go without a receipt before it is sent again; doubles up to the second. */
  readonly resendMs: number;
  readonly maxResendMs: number;
  /** Between two resends that a receipt without progress asked for; doubles while none of them helps. */
  readonly quickResendMs: number;
  /** Resends without any authentic word from the gateway, until the device asks for a new session. */
  readonly silentResends: number;
  /** Resends answered by receipts that lie beyond what is held, until the device gives those readings up. */
  readonly deadlockResends: number;
  /** Between two knocks; doubles up to the second while no session comes. */
  readonly knockMs: number;
  readonly maxKnockMs: number;
  /** Between two hellos, and between two knocks for a session that says anew what is held. */
  readonly helloMs: number;
  readonly againMs: number;
  /** Between two time requests, until one is answered and after. */
  readonly timeRetryMs: number;
  readonly timeMs: number;
  /** A later answer to a time request says too little. */
  readonly timeAnswerMs: number;
  readonly heartbeatMs: number;
  /** Between two loss readings while the gateway is there, and while it is away. */
  readonly lossMs: number;
  readonly awayLossMs: number;
  /** With a session open and readings held: how long without a receipt until the gateway counts as away. */
  readonly awayMs: number;
  /** An epoch ends after so many readings, its final one among them, or after so long. */
  readonly maxEpochReadings: number;
  readonly maxEpochMs: number;
  /** How far ahead of its own epoch the gateway's word may send a device. */
  readonly maxAdvance: number;
  /** Steps of the key chain in one poll: each is an HMAC. */
  readonly ratchetSteps: number;
  /** Before a failed flash write is tried again. */
  readonly flashRetryMs: number;
  /** Samples taken in one poll. */
  readonly samplesPerPoll: number;
  /** The longest envelope that the device seals. */
  readonly maxEnvelopeBytes: number;
}

export const DEVICE_LIMITS: DeviceLimits = {
  windowEntries: 64,
  windowBytes: 16_384,
  resendMs: 1_000,
  maxResendMs: 8_000,
  quickResendMs: 50,
  silentResends: 3,
  deadlockResends: 5,
  knockMs: 2_000,
  maxKnockMs: 10_000,
  helloMs: 200,
  againMs: 1_000,
  timeRetryMs: 10_000,
  timeMs: 3_600_000,
  timeAnswerMs: 2_000,
  heartbeatMs: 60_000,
  lossMs: 1_000,
  awayLossMs: 60_000,
  awayMs: 10_000,
  maxEpochReadings: 65_536,
  maxEpochMs: 86_400_000,
  maxAdvance: 4_096,
  ratchetSteps: 32,
  flashRetryMs: 60_000,
  samplesPerPoll: 64,
  maxEnvelopeBytes: 512,
};
