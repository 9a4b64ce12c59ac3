"""The machinery that runs figures: cells, saved data, verdicts, provenance. It knows no experiment."""
