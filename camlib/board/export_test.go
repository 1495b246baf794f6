package board

// Rank ranks a board's rows.
func Rank(b *Board) { b.rank() }
