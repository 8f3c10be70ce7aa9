export const vat = (pence) => Math.floor(pence / 5);
