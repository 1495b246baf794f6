package notebook

import (
	"io"
	"os"
	"os/exec"
	"testing"
)

// TestConcurrentDelivery: a program whose kernel is gone does not wait for it.
func TestConcurrentDelivery(t *testing.T) {
	const variable = "CAMLAB_TEST_DELIVER"
	again := func(role string) *exec.Cmd {
		cmd := exec.Command(os.Args[0], "-test.run=^TestConcurrentDelivery$")
		cmd.Env = append(os.Environ(), variable+"="+role)
		return cmd
	}
	switch os.Getenv(variable) {
	case "kernel": // starts a cell's program and is gone
		cell := again("cell")
		cell.ExtraFiles = []*os.File{os.NewFile(3, "ends with the cell")}
		if err := cell.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := cell.Process.Wait(); err == nil {
			t.Fatal("the cell's program has ended before its kernel")
		}
		return
	case "cell":
		if _, err := os.NewFile(3, "ends with the cell").WriteString("begun "); err != nil {
			t.Fatal(err)
		}
		deliver(func() { select {} })
		if _, err := os.NewFile(3, "ends with the cell").WriteString("ended"); err != nil {
			t.Fatal(err)
		}
		return
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	kernel := again("kernel")
	kernel.ExtraFiles = []*os.File{w}
	if err := kernel.Start(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	begun := make([]byte, len("begun "))
	if _, err := io.ReadFull(r, begun); err != nil {
		t.Fatal(err)
	}
	if err := kernel.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = kernel.Wait()
	if said, err := io.ReadAll(r); err != nil || string(said) != "ended" {
		t.Errorf("the cell's program said %q, %v, want it to end", said, err)
	}
}
