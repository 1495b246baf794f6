package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/lock"
)

// TestSlurmArray submits docker/slurm/explain.sbatch, an array of 8, to a cluster of this
// machine alone. One task is killed with SIGKILL and requeued. It wants the killed part to
// be that of a task that was left alone, and all parts together one run's.
func TestSlurmArray(t *testing.T) {
	if os.Getenv("CAMLAB_TEST_SLURM") == "" {
		t.Skip("starts a Slurm cluster: `make test-slurm`")
	}
	for _, program := range []string{"munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%v: needs Slurm, in Debian the packages slurm-wlm and munge", err)
		}
	}
	backendtest.XLA(t)
	const parts, each, killed = 8, 64, 3 // two chunks each
	dir := t.TempDir()
	images, maps := filepath.Join(dir, "images"), filepath.Join(dir, "maps")
	mkdir(t, images)
	for i := range parts * each {
		write(t, filepath.Join(images, fmt.Sprintf("%03d.png", i)), pngBytes(t, i))
	}
	camlab := filepath.Join(dir, "camlab")
	run(t, nil, "go", "build", "-o", camlab, ".")
	text, err := os.ReadFile(filepath.Join("..", "..", "docker", "slurm", "explain.sbatch"))
	if err != nil {
		t.Fatal(err)
	}
	job := filepath.Join(dir, "explain.sbatch")
	write(t, job, []byte(strings.NewReplacer("/data/images", images, "/data/maps", maps, "exec camlab", "exec "+camlab,
		"#SBATCH --output=", "#SBATCH --output="+dir+"/", "--mem=1G", "--mem=0").Replace(string(text))))

	env := slurm(t, dir)
	id := strings.TrimSpace(run(t, env, "sbatch", "--parsable", job))
	shard := func(i int) string { return filepath.Join(maps, part{i, parts}.folder()) }
	wait := func(what string, done func() bool) {
		for asked := time.Now(); !done(); time.Sleep(time.Millisecond) {
			if time.Since(asked) < time.Second {
				continue
			}
			asked = time.Now()
			if end, ok := t.Deadline(); ok && time.Until(end) < 20*time.Second {
				t.Fatalf("no time is left before %s", what) // the cluster is to be stopped
			}
			if !strings.Contains(run(t, env, "squeue", "--noheader", "--array", "--jobs", id, "--states", "all"), id) {
				t.Fatalf("the job is gone before %s", what)
			}
		}
	}
	// One unit of four is done, and XLA compiles for the next.
	wait("a task to kill is at work", func() bool { return lines(shard(killed)) >= 1 })
	holder, err := os.ReadFile(filepath.Join(shard(killed), lock.File)) // process 4711 on host
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.Fields(string(holder))[1])
	if err != nil {
		t.Fatal(err)
	}
	process, err := os.FindProcess(pid)
	if err == nil {
		err = process.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
	state := func(i int) string {
		time.Sleep(200 * time.Millisecond) // the answer takes Slurm's daemons time
		for _, field := range strings.Fields(run(t, env, "scontrol", "show", "job", fmt.Sprintf("%s_%d", id, i))) {
			if name, value, _ := strings.Cut(field, "="); name == "JobState" {
				return value
			}
		}
		return ""
	}
	wait("the killed task ended", func() bool { return slices.Contains([]string{"FAILED", "COMPLETED"}, state(killed)) })
	if isFile(filepath.Join(shard(killed), manifestFile)) {
		t.Fatal("the killed task was done already")
	}
	if got := state(killed); got != "FAILED" {
		t.Fatalf("the killed task is %s", got)
	}
	run(t, env, "scontrol", "requeue", fmt.Sprintf("%s_%d", id, killed))
	for i := range parts {
		wait(fmt.Sprintf("task %d ended", i), func() bool {
			switch got := state(i); got {
			case "COMPLETED":
				return true
			case "FAILED", "TIMEOUT", "CANCELLED", "NODE_FAIL", "OUT_OF_MEMORY":
				said, _ := os.ReadFile(filepath.Join(dir, fmt.Sprintf("camlab-explain-%d.log", i)))
				t.Fatalf("task %d: %s: %s", i, got, said)
			}
			return false
		})
	}
	said, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("camlab-explain-%d.log", killed)))
	if err != nil || !strings.Contains(string(said), "has an unfinished run, which goes on after") {
		t.Errorf("%v, the killed task said %q, want that it went on", err, said)
	}

	alone, whole := filepath.Join(dir, "alone"), filepath.Join(dir, "whole")
	run(t, nil, camlab, "explain", images, "--method", "cam,gradcam", "--backend", "xla:cpu", "--out", alone, "--shard", part{killed, parts}.String())
	same(t, "killed", shard(killed), files(t, filepath.Join(alone, part{killed, parts}.folder())))
	run(t, nil, camlab, "explain", images, "--method", "cam,gradcam", "--backend", "xla:cpu", "--out", whole)
	for file, row := range map[string]int{logitsFile: 10, "maps_cam.npy": 256, "maps_gradcam.npy": 256} {
		var joined []float64
		for i := range parts {
			values, _ := array(t, filepath.Join(shard(i), file))
			joined = append(joined, values...)
		}
		want, _ := array(t, filepath.Join(whole, file))
		if len(joined) != len(want) {
			t.Errorf("%s: %d values in all parts, want %d", file, len(joined), len(want))
		}
		sameRows(t, file, joined, want, row)
	}
	var names []string
	for i := range parts {
		names = append(names, imagesOf(t, shard(i), nameOf)...)
	}
	if want := imagesOf(t, whole, nameOf); !slices.Equal(names, want) {
		t.Errorf("images %q of all parts, want %q", names, want)
	}
}

// run runs a program and returns what it said.
func run(t *testing.T, env []string, program string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), program, args...)
	c.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s %q: %v: %s%s", program, args, err, out, stderr.Bytes())
	}
	return string(out)
}

// slurm starts a cluster of this machine alone, with all its files in a folder, and
// returns the environment of its commands.
func slurm(t *testing.T, dir string) (env []string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(dir, name) }
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	host, _, _ = strings.Cut(host, ".")
	for _, name := range []string{"state", "spool"} {
		mkdir(t, at(name))
	}
	if err := os.WriteFile(at("munge.key"), bytes.Repeat([]byte("camlab's test "), 10), 0o600); err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf(`
ClusterName=camlab
SlurmctldHost=%[1]s(127.0.0.1)
SlurmUser=%[2]s
SlurmdUser=%[2]s
SlurmctldPort=%[3]d
SlurmdPort=%[4]d
AuthType=auth/munge
AuthInfo=socket=%[5]s/munge.socket,cred_expire=5
StateSaveLocation=%[5]s/state
SlurmdSpoolDir=%[5]s/spool
SlurmctldPidFile=%[5]s/slurmctld.pid
SlurmdPidFile=%[5]s/slurmd.pid
SlurmctldParameters=idle_on_node_suspend
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
KillWait=2
MinJobAge=3600
NodeName=%[1]s NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
`, host, me.Username, freePort(t), freePort(t), dir)
	write(t, at("slurm.conf"), []byte(conf))
	env = []string{"SLURM_CONF=" + at("slurm.conf")}
	daemon := func(name string, args ...string) {
		log, err := os.Create(at(name + ".log"))
		if err != nil {
			t.Fatal(err)
		}
		c := exec.Command(name, args...)
		c.Env, c.Stdout, c.Stderr = append(os.Environ(), env...), log, log
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = c.Process.Signal(os.Interrupt)
			_ = c.Wait()
			log.Close()
			if said, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
				t.Logf("%s said:\n%s", name, said)
			}
		})
	}
	daemon("munged", "--foreground", "--force", "--key-file="+at("munge.key"), "--socket="+at("munge.socket"), "--pid-file="+at("munge.pid"), "--seed-file="+at("munge.seed"), "--log-file="+at("munge.log"))
	for !exists(at("munge.socket")) {
		time.Sleep(20 * time.Millisecond)
	}
	daemon("slurmctld", "-D", "-i")
	daemon("slurmd", "-D", "-N", host)
	for { // until the node is there
		c := exec.CommandContext(t.Context(), "sinfo", "--noheader", "--format=%T")
		c.Env = append(os.Environ(), env...)
		if out, err := c.Output(); err == nil && strings.TrimSpace(string(out)) == "idle" {
			return env
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// freePort returns a port of the loopback interface that nobody listens to.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
