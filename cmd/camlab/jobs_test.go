package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestShardOfJob sets what Slurm and Kubernetes do.
func TestShardOfJob(t *testing.T) {
	array := func(id, count, first, last, step string) map[string]string {
		return map[string]string{"SLURM_ARRAY_TASK_ID": id, "SLURM_ARRAY_TASK_COUNT": count, "SLURM_ARRAY_TASK_MIN": first, "SLURM_ARRAY_TASK_MAX": last, "SLURM_ARRAY_TASK_STEP": step}
	}
	pod := func(i string) map[string]string { return map[string]string{"JOB_COMPLETION_INDEX": i} }
	both := pod("3")
	both["SLURM_ARRAY_TASK_ID"] = "3"
	for _, test := range []struct {
		what, shard string
		env         map[string]string
		want        part
		err         string
	}{
		{"array from 0", "auto", array("3", "8", "0", "7", "1"), part{3, 8}, ""},
		{"array from 1", "auto", array("8", "8", "1", "8", "1"), part{7, 8}, ""},
		{"array of every fourth", "auto", array("8", "3", "0", "8", "4"), part{2, 3}, ""},
		{"array and number", "auto/8", array("3", "8", "0", "7", "1"), part{3, 8}, ""},
		{"one task again", "auto/8", array("3", "1", "3", "3", "1"), part{3, 8}, ""},
		{"some tasks again", "auto/8", array("5", "2", "3", "5", "1"), part{5, 8}, ""},
		{"pod", "auto/8", pod("7"), part{7, 8}, ""},
		{"by hand in an array", "1/2", array("3", "8", "0", "7", "1"), part{1, 2}, ""},

		{"one task again, of how many", "auto", array("3", "1", "3", "3", "1"), part{}, "a Slurm array of 1 tasks, 3 to 3, which may be a part of the array of before, want the number of parts as in --shard auto/8"},
		{"first task again, of how many", "auto", array("0", "1", "0", "0", "1"), part{}, "want the number of parts"},
		{"some tasks again, of how many", "auto", array("5", "3", "3", "5", "1"), part{}, "want the number of parts"},
		{"gaps", "auto", array("7", "3", "1", "7", "1"), part{}, "with gaps, want all from the first to the last"},
		{"array from 1 and number", "auto/8", array("3", "8", "1", "8", "1"), part{}, "want tasks of 0 to 7: --array=0-7"},
		{"array of 1 to 7 of 8", "auto/7", array("3", "7", "1", "7", "1"), part{}, "want tasks of 0 to 6: --array=0-6"},
		{"array of more", "auto/4", array("3", "8", "0", "7", "1"), part{}, "want tasks of 0 to 3"},
		{"half of Slurm", "auto", map[string]string{"SLURM_ARRAY_TASK_ID": "3"}, part{}, "SLURM_ARRAY_TASK_COUNT is not set"},
		{"no number", "auto", array("3", "8", "zero", "7", "1"), part{}, `SLURM_ARRAY_TASK_MIN is "zero", want a number from 0`},
		{"pod without number", "auto", pod("3"), part{}, "want the Job's completions as in --shard auto/8"},
		{"pod of a larger Job", "auto/8", pod("8"), part{}, "JOB_COMPLETION_INDEX is 8, want 0 to 7"},
		{"pod not filled in", "auto/8", pod("$(X)"), part{}, `JOB_COMPLETION_INDEX is "$(X)", want a number from 0`},
		{"both", "auto/8", both, part{}, "are both set, want one of them: name the part, as in --shard 3/8"},
		{"neither", "auto", nil, part{}, "neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set"},
		{"no parts", "auto/0", pod("0"), part{}, `--shard "auto/0", want part i of n as in 3/8`},
		{"half a number", "auto/", pod("0"), part{}, `--shard "auto/", want part i of n`},
	} {
		t.Run(test.what, func(t *testing.T) {
			unsetenv(t, "JOB_COMPLETION_INDEX", "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX", "SLURM_ARRAY_TASK_STEP")
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			got, err := parsePart(test.shard)
			if got != test.want || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("part %v, error %v; want %v and %q", got, err, test.want, test.err)
			}
		})
	}
}

// TestShardOfJobIsTheShard wants a task to leave what its part asked for by hand leaves.
func TestShardOfJobIsTheShard(t *testing.T) {
	args := []string{"--split", "sample", "--index", sampleIndex(4)}
	unsetenv(t, "SLURM_ARRAY_TASK_ID")
	t.Setenv("JOB_COMPLETION_INDEX", "1")
	auto, err := explainList(t, "", append(args, "--shard", "auto/2")...)
	if err != nil {
		t.Fatal(err)
	}
	byHand, err := explainList(t, "", append(args, "--shard", "1/2")...)
	if err != nil {
		t.Fatal(err)
	}
	const folder = "shard-00001-of-00002"
	same(t, "auto/2", filepath.Join(auto, folder), files(t, filepath.Join(byHand, folder)))
	if m := readManifest(t, filepath.Join(auto, folder)); m.Shard != "1/2" || !slices.Equal(imagesOf(t, filepath.Join(auto, folder), nameOf), strings.Split(sampleIndex(4), ",")[2:]) {
		t.Errorf("manifest %+v, want part 1/2", m)
	}
}
