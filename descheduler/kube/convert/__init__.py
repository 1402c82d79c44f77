"""From bytes to the model: slim wire schemas, and what each kind becomes; one broken object never hides the others."""
