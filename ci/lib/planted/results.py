"""Results: one JSON object a line, added as soon as it is there, so that an interrupted run goes on where it was."""
import json
import os


class Results:
    def __init__(self, path, key):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.path, self.key = path, key
        self.rows = read(path)

    def has(self, **wanted):
        return any(all(row.get(field) == wanted[field] for field in self.key) for row in self.rows)

    def add(self, **row):
        self.rows.append(row)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def read(path):
    """Rows; a last line that was cut short is left out."""
    rows = []
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            for line in file:
                try:
                    rows.append(json.loads(line))
                except ValueError:
                    continue
    return rows
