// What covers the card company's fee: the smallest sum that leaves the amount whole. Whole minor units throughout, as in
// src/domain/committee.rs, whose sum is the one that counts; the largest product stays far below 2^53.
const WHOLE = 10_000;

export const feeOf = (gross, rate) => Math.floor((gross * rate.basisPoints + WHOLE / 2) / WHOLE) + rate.fixed;

export function coverOf(amount, rate) {
  const first = Math.floor(((amount + rate.fixed) * WHOLE) / (WHOLE - rate.basisPoints)) - 2;
  for (let gross = first; gross <= first + 4; gross += 1) {
    if (gross - feeOf(gross, rate) >= amount) return gross - amount;
  }
  return null;
}

// "1,250.5" as minor units; null where it is no amount.
export function minorOf(text, exponent) {
  const plain = text.replace(/[,\s]/g, "");
  if (!/^\d{1,9}(\.\d*)?$/.test(plain)) return null;
  const [whole, fraction = ""] = plain.split(".");
  if (fraction.length > exponent) return null;
  return Number(whole) * 10 ** exponent + Number(fraction.padEnd(exponent, "0") || 0);
}

export function written(minor, exponent, symbol) {
  const digits = String(minor).padStart(exponent + 1, "0");
  const whole = digits.slice(0, digits.length - exponent).replace(/\B(?=(\d{3})+$)/g, ",");
  return `${symbol}${whole}${exponent ? `.${digits.slice(-exponent)}` : ""}`;
}
