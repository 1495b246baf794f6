package main

import (
	"os"
	"strings"
	"testing"
)

// TestREADMEShowsTheArrows is that the drawing in README.md is that of the code.
func TestREADMEShowsTheArrows(t *testing.T) {
	drawn, err := draw("../..")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "```\n"+drawn+"```\n") {
		t.Errorf("README.md does not show these arrows, which `go run ./internal/rooms` draws:\n%s", drawn)
	}
}
