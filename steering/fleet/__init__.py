"""What is known of the appliances: reports, health, what operators ordered, what other instances were told."""
