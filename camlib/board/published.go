package board

import (
	"bytes"
	_ "embed"
)

//go:embed leaderboard.json
var published []byte

// Published returns the board of all methods on the shipped model and the first 2,000
// test images of CIFAR-10 that `make leaderboard` made, so that it can be looked at
// without the minutes that it takes.
func Published() (*Board, error) { return Read(bytes.NewReader(published)) }
