export function open(sectors) @ "xs_sovereign_flash_open";
export function read(sector, offset, target) @ "xs_sovereign_flash_read";
export function erase(sector) @ "xs_sovereign_flash_erase";
export function program(sector, offset, source) @ "xs_sovereign_flash_program";
