"""The study of "A Hitchhiker's Guide to Scaling Law Estimation": as published, and repaired."""
