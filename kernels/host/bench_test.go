//go:build linux && amd64

package main

import (
	"bytes"
	"os"
	"strconv"
	"testing"
	"time"
)

// BenchmarkCell runs small cells one after the other in one process. kB/cell is
// what the process grows by.
func BenchmarkCell(b *testing.B) {
	k := open(b)
	size := func() float64 {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(k.cmd.Process.Pid) + "/status")
		if err != nil {
			b.Fatal(err)
		}
		_, text, _ = bytes.Cut(text, []byte("VmRSS:"))
		kb, err := strconv.ParseFloat(string(bytes.Fields(text)[0]), 64)
		if err != nil {
			b.Fatal(err)
		}
		return kb
	}
	k.ok("x := 3\nif x > 4 { fmt.Println(\"hi\", x) }", "")
	before := size()
	var host time.Duration
	for b.Loop() {
		u, q := k.compile("x := 3\nif x > 4 { fmt.Println(\"hi\", x) }")
		start := time.Now()
		r := k.ask(q)
		host += time.Since(start)
		if r == nil || r.Failure != nil {
			b.Fatal(failure(k.printed(r)))
		}
		u.Keep()
		k.printed(r)
	}
	b.ReportMetric((size()-before)/float64(b.N), "kB/cell")
	b.ReportMetric(float64(host.Microseconds())/float64(b.N), "µs/load+run")
}
