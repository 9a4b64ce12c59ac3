"""How figures look: sizes, colours, markers, letters of panels, names next to lines."""
