//go:build linux && amd64

package main

import "testing"

func TestFirst(t *testing.T) {
	k := open(t)
	k.ok(`fmt.Println("hi")`, "hi")
	k.ok("x := 3", "")
	k.ok("x * 2", "6")
}
