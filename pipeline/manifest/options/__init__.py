"""What each option may be, and which of several values wins.

`rules` and `types` say what may be, `presets` are named sets, `precedence` decides, `overrides`
come from outside, `agreement` is what holds together only, `keywords` are for Python, `foreign` is
what other programs call them."""
