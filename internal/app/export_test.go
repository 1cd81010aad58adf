package app

// Keepers are the rooms that are asked before a file leaves the vault.
func Keepers(a *App) []keeper { return a.keepers() }
