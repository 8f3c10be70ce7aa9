import { vat } from './tax.js';

export const total = (pence) => pence + vat(pence);
