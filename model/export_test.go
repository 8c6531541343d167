package model

// KindNames lists the table of kinds.
func KindNames() []string {
	var out []string
	for _, k := range kinds {
		out = append(out, k.Kind())
	}
	return out
}
