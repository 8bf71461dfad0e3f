"""Pure rules: they know neither storage nor trio nor HTTP."""
