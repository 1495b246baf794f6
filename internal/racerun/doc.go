// Package racerun holds the tests to the rule by which `make unit` chooses those that it
// runs a second time with the race detector: by the word Concurrent in their names.
package racerun
