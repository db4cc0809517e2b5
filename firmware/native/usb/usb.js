export function opened() @ "xs_sovereign_usb_opened";
export function read(target) @ "xs_sovereign_usb_read";
export function write(source, from, to) @ "xs_sovereign_usb_write";
