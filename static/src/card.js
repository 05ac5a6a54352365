// The card field: the processor's own, in its own frame, so that the card never passes through this page.
const form = document.getElementById("card-form");
const error = document.getElementById("card-error");
if (form && window.Stripe) {
  const stripe = window.Stripe(form.dataset.publishableKey);
  const elements = stripe.elements({ clientSecret: form.dataset.clientSecret });
  elements.create("payment").mount("#card-element");
  const button = form.querySelector("button");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    error.textContent = "";
    const answer = await stripe.confirmPayment({ elements, confirmParams: { return_url: form.dataset.returnUrl } });
    // Only a refusal comes back here; a payment that goes on leaves the page.
    if (answer.error) error.textContent = answer.error.message;
    button.disabled = false;
  });
} else if (form) {
  error.textContent = "The card field could not be loaded. Please check your connection and load this page again.";
}
