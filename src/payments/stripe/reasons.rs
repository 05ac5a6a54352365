//! Stripe's reasons for a decline in the donor's words: <https://docs.stripe.com/declines/codes>.

/// What the donor reads; says what to do next, and nothing that would help somebody who stole the card.
pub fn for_donor(code: &str) -> &'static str {
    match code {
        "insufficient_funds" | "withdrawal_count_limit_exceeded" | "card_velocity_exceeded" => {
            "Your bank says there is not enough money for this on the card. Nothing was charged. Try a smaller amount or \
             another card."
        }
        "expired_card" | "invalid_expiry_month" | "invalid_expiry_year" => {
            "The card has expired, or its date is not right. Nothing was charged. Check the date or use another card."
        }
        "incorrect_cvc" | "invalid_cvc" => {
            "The security code is not right. Nothing was charged. It is the 3 or 4 digits apart from the card number."
        }
        "incorrect_number" | "invalid_number" | "invalid_account" => {
            "The card number is not right. Nothing was charged. Please type it again."
        }
        "incorrect_zip" | "incorrect_address" => {
            "The address or postal code is not the one your bank knows. Nothing was charged. Please check it."
        }
        "card_not_supported" | "currency_not_supported" | "transaction_not_allowed" => {
            "This card can't be used for this donation. Nothing was charged. Please use another card."
        }
        "authentication_required" | "payment_intent_authentication_failure" | "authentication_not_handled" => {
            "Your bank asked you to confirm, and that did not work. Nothing was charged. Try again or use another card."
        }
        "processing_error" | "issuer_not_available" | "try_again_later" | "reenter_transaction" => {
            "Your bank could not answer just now. Nothing was charged. Please try again in a moment."
        }
        "method_unusable" => "The card's details have timed out. Nothing was charged. Please enter the card again.",
        "canceled" => "This payment was given up before it finished. Nothing was charged. You can start again.",
        "checkout_expired" => {
            "The payment company’s page was open for half an hour and has closed. Nothing was charged. You can start again."
        }
        "payment_failed" => "Your bank did not pay. Nothing was charged. You can start again.",
        _ => {
            "Your bank declined the card. Nothing was charged. Use another card, or call the number on the back of this one."
        }
    }
}
