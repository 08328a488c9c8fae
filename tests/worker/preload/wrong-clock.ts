/** Loaded before a program: its clock is two days ahead, as that of a rented machine may be. */
const { now } = Date;
Date.now = () => now() + 2 * 86_400_000;
