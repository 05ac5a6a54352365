// The payment company's own fields, and the token they give for what was typed into them: with the Payment Element (cards,
// wallets, bank debits), or with card fields alone where the script knows no more, as a stand-in's does.

const INCOMPLETE = "Please fill in the card's number, date and security code.";

// Cards, wallets and debits. The payment itself is made by our server, in one call, from the token made here.
function paymentFields(stripe, form) {
  const { amountMinor, currency, name, email } = form.dataset;
  const { color, fontFamily, backgroundColor } = getComputedStyle(form);
  const elements = stripe.elements({
    mode: "payment",
    amount: Number(amountMinor),
    currency,
    // What the server will ask for, too: the two must agree.
    ...(form.dataset.keeps === undefined ? {} : { setupFutureUsage: "off_session" }),
    appearance: { variables: { colorText: color, fontFamily, colorBackground: backgroundColor, fontSizeBase: "16px" } },
  });
  const element = elements.create("payment", { defaultValues: { billingDetails: { name, email } } });
  return {
    element,
    async method() {
      const { error: invalid } = await elements.submit();
      if (invalid) return { error: invalid.message || INCOMPLETE };
      const { error, confirmationToken } = await stripe.createConfirmationToken({ elements });
      return error ? { error: error.message || INCOMPLETE } : { method: confirmationToken.id };
    },
    question: (clientSecret) => stripe.handleNextAction({ clientSecret }),
  };
}

// Stripe's script makes a payment method; the stand-in's answers nothing to that, and makes a card.
function cardFields(stripe, form) {
  const { color, fontFamily } = getComputedStyle(form);
  const element = stripe.elements().create("card", { disableLink: true, style: { base: { color, fontFamily, fontSize: "16px" } } });
  return {
    element,
    async method() {
      const made = await stripe.createPaymentMethod({ type: "card", card: element });
      if (made) return made.error ? { error: made.error.message || INCOMPLETE } : { method: made.paymentMethod.id };
      const { token, error } = await stripe.createToken(element).catch(() => ({ error: {} }));
      return token ? { method: token.card.id } : { error: error?.message || INCOMPLETE };
    },
    question: (clientSecret) => stripe.confirmCardPayment(clientSecret),
  };
}

/** The fields: `element` to mount, `method()` for the token or what is wrong, `question()` for the bank's. */
export const fieldsOf = (stripe, form) =>
  typeof stripe.createConfirmationToken === "function" ? paymentFields(stripe, form) : cardFields(stripe, form);
