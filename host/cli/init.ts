/** `sovereign init`: a configuration, an empty keyring, and what to do next. */
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { toHex } from '../../firmware/seal/index.js';
import { scalarText } from '../config/yaml-text.js';
import { parseConfig } from '../config.js';
import { Fault } from '../fault.js';
import { Keyring, shellWord } from '../keyring/file.js';
import { privateFiles } from '../node/private-files.js';
import { systemRandom } from '../node/random.js';
import { NodeStorage } from '../node/storage.js';
import { outputOf, usageFault, withJson } from './context.js';
import type { Terminal } from './output.js';

interface InitOptions {
  readonly dir: string;
  readonly site: string;
  readonly data: string;
  readonly json?: boolean;
}

export function register(program: Command, terminal?: Terminal): void {
  withJson(program.command('init'))
    .description('write config.yaml and an empty keyring')
    .option('--dir <dir>', 'where to write them', '.')
    .option('--site <name>', 'name of the place, as it stands in topics', 'home')
    .option('--data <dir>', 'where the gateway keeps its journal, as it is to stand in config.yaml', 'data')
    .action((options: InitOptions) => init(options, terminal));
}

async function init(options: InitOptions, terminal?: Terminal): Promise<void> {
  const output = outputOf(options, terminal);
  const directory = resolve(options.dir);
  const config = join(directory, 'config.yaml');
  const keyring = join(directory, 'keyring.yaml');
  const text = template(options.site, options.data);
  if (options.data === '') throw usageFault('--data: expected a path, got ""');
  try {
    parseConfig(text, config); // a site that no gateway would take is not written
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw usageFault(
      `--site: expected a name of 1 to 64 letters, digits, "-", "_" or ".", got ${JSON.stringify(options.site)}`,
    );
  }
  await new NodeStorage().ensureDirectory(directory).catch(error => {
    throw new Fault(
      'dir-unusable',
      `cannot make ${directory}: ${error.message}`,
      'choose another --dir',
      error,
    );
  });
  for (const path of [config, keyring])
    if ((await privateFiles.stamp(path)) !== '')
      throw new Fault(
        'file-exists',
        `${path} is there already; nothing was changed`,
        'go on with it, or choose another --dir',
      );
  const bytes = (content: string) => new TextEncoder().encode(content);
  await privateFiles.create(keyring, bytes(new Keyring([]).render()));
  await privateFiles.create(config, bytes(text));

  if (output.json) return output.object({ config, keyring });
  const named = resolve('config.yaml') === config ? '' : ` --config ${shellWord(config)}`;
  await output.line(`${output.style('green', 'wrote')} ${config}`);
  await output.line(`${output.style('green', 'wrote')} ${keyring}`);
  await output.line('');
  await output.line('Next:');
  await output.line(`  sovereign doctor${named}       is everything there that this machine needs?`);
  await output.line(`  sovereign gateway${named}      takes readings, keeps and publishes them`);
  await output.line(`  sovereign simulate${named}     virtual devices, in another terminal`);
  await output.line(`  sovereign subscribe${named}    verified readings, in a third`);
  return undefined;
}

function template(site: string, data: string): string {
  const random = new Uint8Array(4);
  systemRandom.fill(random);
  return `# Sovereign Edge. Relative paths are relative to this file. What is commented out shows the default,
# unless it says "for example". After a change, restart the gateway; the keyring is followed as it is, and passwords and
# certificates in files of their own are read again at each connection.

# Both stand in MQTT topics: the place, and this gateway, which no other gateway of the site may be called.
site: ${scalarText(site)}
gateway: gw-${toHex(random)}

# Journal, cursors, quarantine and the control socket.
data: ${scalarText(data)}

# Keys of the devices: \`sovereign device add|list|remove\`. Refused unless its mode is 0600.
keyring: keyring.yaml

links:
  # Boards on USB or UART, for example:
  # serial:
  #   - port: /dev/serial/by-id/usb-Raspberry_Pi_Pico_E660-if00   # or /dev/ttyACM0, which may change
  #     baud: 115200

  # Boards on Wi-Fi, and \`sovereign simulate\`. To be reached from other machines: 0.0.0.0:7683
  tcp:
    listen: 127.0.0.1:7683
    # maxConnections: 1024
    # maxUnauthenticated: 128       # connections that have not said a valid hello yet

  # Boards that speak to a broker, the uplink's unless another is named here:
  # mqtt:
  #   maxDevices: 1024

  # Sensors that speak sovereign-sdk version 1 (JSON lines), for example:
  # sdk:
  #   listen: 127.0.0.1:7684

# journal:
#   segmentBytes: 8388608
#   maxPendingBytes: 4194304      # may wait for the disk
#   reserveBytes: 0               # stays free: below it, devices keep their readings
#   retainDays: 90                # what was published is kept so long; 0: for ever
#   retainBytes: 2147483648       # and so much of it; 0: no limit
#   enduranceBytes: 32000000000000  # for example: what the card or SSD takes in its life (TBW); status then tells the years

# Where readings are published. Without this section the journal keeps them all.
uplink:
  broker: mqtt://127.0.0.1:1883   # or mqtts://, ws://, wss://
  # protocol: 5                   # or 3.1.1
  # username: gateway             # for example
  # passwordFile: mqtt-password   # for example, of mode 0600; better than password, which is taken too: keep this file at 0600
  # ca: ca.pem                    # for example, with mqtts://; cert and key as well for a client certificate
  # keepAliveSeconds: 30
  # connectTimeoutMs: 10000
  # window: 1000                  # messages in flight
  # replayPerSecond: 0            # slow down the draining of a backlog; 0: no limit
  # fetchPerSecond: 500           # readings sent again for subscribers that miss some; 0: none
  # readingTopic: true            # publish readable SenML JSON beside the sealed bytes
  # order: oldest-first           # live-first: while a backlog drains, what comes in now goes before it
  # batch: false                  # drain a backlog many readings a message, on sovereign/1/SITE/batch/GATEWAY

# Shows every device and its readings in Home Assistant (2024.11 or later) that uses the same broker, with no setup there.
# Take it out again, and what was shown goes at the next start.
# homeAssistant: { prefix: homeassistant }   # as Home Assistant has it in the options of its MQTT integration

# On the GPIO lines of a Raspberry Pi (BCM numbers), for example:
# panel:
#   led: { gpio: 17, activeLow: false }      # steady: all is well; slow: kept but not published; fast: can't be kept
#   enclosure: { gpio: 27, openWhen: high, debounceMs: 50 }   # a switch; the gateway seals what it says, as a device
#   chip: pinctrl-rp1                        # the label of the GPIO chip, if it is not found by itself

# What the sources of a device are told, by its name or id; what is absent is as its board has it. For example:
# devices:
#   probe:
#     sources:
#       temperature: { periodMs: 10000, threshold: 0.1, maxIntervalMs: 600000 }

# The page, in a browser on this machine: http://127.0.0.1:8480. Without this section there is none.
web:
  listen: 127.0.0.1:8480
  # tokenFile: web-token          # for example: 16 to 256 signs; with it the page may also pause, drain and release
  # To be reached from other machines, listen on 0.0.0.0:8480 and give a token and a certificate; it then shows nothing
  # without the token.
  # cert: web.pem                 # for example
  # key: web.key                  # for example
  # names: [gateway.lan]          # for example: what it is asked for by, beside its addresses and the host's name
  # insecure: false               # true: other machines may see the page without token and TLS

# quarantine:                     # bytes that failed a gate, for looking at
#   maxBytes: 67108864
#   perReasonBytes: 8388608
#   perDeviceBytes: 1048576
#   unauthenticatedPerDayBytes: 1048576
#   evidenceBytes: 16777216       # of forks, which are kept apart
#   reserveBytes: 67108864        # below so much free disk, nothing is kept here

# What it says of itself for Prometheus or VictoriaMetrics, at http://127.0.0.1:9090/metrics. No secrets, but whoever
# reaches the address can read it.
metrics:
  listen: 127.0.0.1:9090
  # names: [gateway.lan]          # for example: what it is asked for by, beside addresses, localhost and the host's name
  # maxDevices: 1000              # told one by one; the totals are of all

# log:
#   level: info                   # debug, info, warn or error; \`sovereign log level\` changes it while the gateway runs
#   format: auto                  # text at a terminal and under systemd, JSON lines otherwise; or text, or json
`;
}
