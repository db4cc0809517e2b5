/** A cable on a UART, behind the USB bridge of the board. */
import Serial from 'embedded:io/serial';
import type { BoardPins } from '../firmware/board.js';
import { SerialLink } from '../firmware/links/serial.js';

export interface UartPins {
  /** Of the UART, as the SDK numbers them. */
  readonly port: number;
  readonly receive: number;
  readonly transmit: number;
  /** Bits a second. */
  readonly baud: number;
}

export function uartCable(uart: UartPins): BoardPins['cable'] {
  return (ports, events) =>
    new SerialLink(
      on => {
        const serial = new Serial({ ...uart, format: 'buffer', ...on });
        return {
          read: target => serial.read(target),
          write: bytes => serial.write(bytes),
          close: () => serial.close(),
        };
      },
      ports,
      events,
    );
}
