package train

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestKilledTrainings trains in processes of its own that it kills with SIGKILL at
// random moments, in half of them after a second training was started in the same
// folder, until one comes to its end, and again from the start, until there were
// as many kills as CAMLAB_TEST_KILLS says, or a few. All ends have the bits of a training
// that was never killed, in every variable: the network has batch normalization and
// dropout. CAMLAB_TEST_KILLS_ON=xla takes XLA instead of pure Go.
func TestKilledTrainings(t *testing.T) {
	if dir := os.Getenv("CAMLAB_TEST_TRAIN_IN"); dir != "" {
		trainToBeKilled(t, dir)
		return
	}
	if testing.Short() {
		t.Skip("trains in many processes")
	}
	kills := 4
	if text := os.Getenv("CAMLAB_TEST_KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	net := own()
	if err := prepare(backendtest.Go(t), net, patterns(t, 4), 0); err != nil {
		t.Fatal(err)
	}
	holds := content{net.Name, withAdam(t, net)}
	whole := t.TempDir()
	lines, err := startTraining(t, whole, -1)
	if err != nil {
		t.Fatal(err)
	}
	dir, killed, doubles, ends, mid := filepath.Join(t.TempDir(), "run"), 0, 0, 0, 0
	for killed < kills {
		double := rand.IntN(2) == 0
		refused, second := true, ""
		_, err := startTraining(t, dir, rand.IntN(lines+1), func() {
			if double {
				out, err := trainingIn(dir).CombinedOutput()
				second = string(out)
				refused = err != nil && strings.Contains(second, "in use by process ")
				doubles++
			}
		})
		if err != nil && !refused { // if it had ended by itself, a second one may begin
			t.Errorf("a second training beside one that was killed later: %s", second)
		}
		if err == nil {
			ends++
			sameEnd(t, holds, dir, whole)
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			continue
		}
		killed++
		if err := net.Load(dir); err != nil && !strings.Contains(err.Error(), "no such file") {
			t.Errorf("after kill %d: %v", killed, err)
		}
		f := &folder{dir: dir, holds: holds}
		newest, errNewest := f.read(TrainingFile)
		if _, err := f.read(PreviousFile); errNewest != nil && !os.IsNotExist(errNewest) || err != nil && !os.IsNotExist(err) {
			t.Errorf("after kill %d: %v, %v", killed, errNewest, err)
		}
		if newest != nil && newest.Position.Step > 0 {
			mid++
		}
	}
	if _, err := startTraining(t, dir, -1); err != nil {
		t.Fatal(err)
	}
	sameEnd(t, holds, dir, whole)
	t.Logf("%d kills, %d of them left a checkpoint within an epoch; %d double starts, %d ends", killed, mid, doubles, ends+1)
}

// trainToBeKilled writes a line for each step and epoch, and checkpoints after every step.
func trainToBeKilled(t *testing.T, dir string) {
	backend := backendtest.Go(t)
	if os.Getenv("CAMLAB_TEST_KILLS_ON") == "xla" {
		backend = backendtest.XLA(t)
	}
	fmt.Println("training")
	config := ownConfig()
	config.Dir, config.CheckpointEvery = dir, 1
	config.OnStep = func(Progress) {
		fmt.Println("training")
		time.Sleep(5 * time.Millisecond) // so that it can be killed within a step
	}
	config.OnEpoch = func(Epoch) { fmt.Println("training") }
	ds := patterns(t, 20)
	if _, err := Train(t.Context(), backend, own(), ds, ds, config); err != nil {
		t.Fatal(err)
	}
}

func trainingIn(dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledTrainings$")
	cmd.Env = append(os.Environ(), "CAMLAB_TEST_TRAIN_IN="+dir)
	return cmd
}

// startTraining runs a training and kills it soon after so many lines; before, it
// calls what is to happen then. It returns the lines that it wrote, and an error
// when it was killed.
func startTraining(t *testing.T, dir string, after int, then ...func()) (lines int, err error) {
	t.Helper()
	cmd := trainingIn(dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	asked := false
	kill := func() {
		asked = true
		for _, f := range then {
			if lines > 1 { // the lock is taken
				f()
			}
		}
		time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond)
		cmd.Process.Kill() //nolint:errcheck // it may have ended
	}
	if after == 0 {
		kill()
	}
	for s := bufio.NewScanner(out); s.Scan(); {
		text.WriteString(s.Text() + "\n")
		if s.Text() != "training" {
			continue
		}
		if lines++; lines == after {
			kill()
		}
	}
	err = cmd.Wait()
	if err != nil && (!asked || cmd.ProcessState.ExitCode() >= 0) {
		t.Fatalf("a training that was not killed: %v\n%s%s", err, text.String(), stderr.String())
	}
	return lines, err
}

// sameEnd compares all of two finished trainings but their times.
func sameEnd(t *testing.T, holds content, dir, whole string) {
	t.Helper()
	var ends [2][]byte
	for i, d := range []string{dir, whole} {
		c, err := (&folder{dir: d, holds: holds}).read(TrainingFile)
		if err != nil {
			t.Fatal(err)
		}
		log, err := ReadHistory(d)
		if err != nil {
			t.Fatal(err)
		}
		weights, err := os.ReadFile(filepath.Join(d, network.ModelFile))
		if err != nil {
			t.Fatal(err)
		}
		if state, ok := c.values[model.RNGStateVariableName]; ok {
			clear(state.Data()[drawn:])
		}
		for e := range c.History.Epochs {
			c.History.Epochs[e].Seconds, log.Epochs[e].Seconds = 0, 0
		}
		c.History.Started, log.Started = time.Time{}, time.Time{}
		data, err := c.encode()
		if err != nil {
			t.Fatal(err)
		}
		best, err := os.ReadFile(filepath.Join(d, BestFile))
		if err != nil {
			t.Fatal(err)
		}
		text, err := log.encode()
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = bytes.Join([][]byte{data, text, weights, best}, nil)
	}
	if !bytes.Equal(ends[0], ends[1]) {
		t.Errorf("%s ended in other bits than the training that was not killed", dir)
	}
}
