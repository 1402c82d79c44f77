"""What past moves were to achieve and what they achieved: ledger, verification of outcomes, pauses of strategies."""
