"""What `belljar order` is made of: reading profiles, the baseline, and the plan as text and as JSON."""
