"""Where pairs are painted: what a run asks of an engine (`protocol`), and the engines there are.

`local` has processes of this machine paint (`worker`), which may die (`lifetime`); `cluster` has
others; `shots` divides clips among the workers of either.
"""
