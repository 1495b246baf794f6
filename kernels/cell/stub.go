package cell

// Taken out at the merge with k-cell.

type Completion struct {
	Start, End int
	Items      []Item
}
type Item struct{ Text, Type, Signature string }

func (s *Session) Complete(text string, offset int) *Completion { return nil }
func (s *Session) Inspect(text string, offset, detail int) (markdown, plain string, ok bool) {
	return "", "", false
}
func Status(text string) (status, indent string)         { return "complete", "" }
func (s *Session) Explain(text string, err error) string { return err.Error() }
