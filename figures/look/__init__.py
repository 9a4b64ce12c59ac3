"""How figures look: sizes, colours, markers, letters of panels, names beside lines."""
