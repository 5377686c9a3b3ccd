"""Every role on embedded services, with the simulator in front and a table of what happens."""
