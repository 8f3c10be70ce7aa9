export const vat = (pence) => Math.floor(pence * 0.175);
