"""The plots of a report, each drawn for a given width in pixels. Only this package imports matplotlib."""
