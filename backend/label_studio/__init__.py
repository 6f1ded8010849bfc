"""Label Studio: its labelling config, its wire and its REST interface."""
