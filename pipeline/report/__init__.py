"""Outcomes to report.json, report.html, report.txt and the history. Computes nothing again.

`write` writes them all. For programs: `data` is report.json, with `rows` in little memory and its
`schema`; `metrics`, `junit`, `readings`; `history` has a line a run.

For people: `html` is the page, filled into `template` from `page`, in several by `paging`; `views`
are its pieces, `links` its pictures' addresses, `sources`, `settings`, `drawings`, `clips` and
`flags` what it says; `text` is for mail. `attention` is what needs a person, `quantities` are
numbers in words, `progress` how far a pair at work is.

Pictures together: `sheet` on the page and `contact_sheet` as a file; `axes` and `grid` say which
stand where, `small_pictures` what they are drawn from."""
