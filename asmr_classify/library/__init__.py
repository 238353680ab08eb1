"""What touches a user's files: plans that are shown, carried out, journalled and undone."""
