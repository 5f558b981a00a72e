"""The dashboard: a page on the store while searches run, and the same page as one file.

Documents of plain JSON are made from the store (`source.py`); `app.py` answers with them and with the page of
`dashboards/`, `snapshot.py` writes both into one file. `dashboards/README.md` describes every document.
"""
