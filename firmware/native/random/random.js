export function fill(target, radioOn) @ "xs_sovereign_random_fill";
