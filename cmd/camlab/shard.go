package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// part is one of n parts of a list, 0 ≤ i < n.
type part struct{ i, n int }

func (p part) String() string { return fmt.Sprintf("%d/%d", p.i, p.n) }

// folder is the folder of a part in --out.
func (p part) folder() string { return fmt.Sprintf("shard-%05d-of-%05d", p.i, p.n) }

// parsePart reads --shard; without it all is one part.
func parsePart(text string) (part, error) {
	if text == "" {
		return part{0, 1}, nil
	}
	first, second, many := strings.Cut(text, "/")
	n, errN := strconv.Atoi(second)
	if first == "auto" && (!many || errN == nil && n > 0) {
		p, err := partOfJob(n)
		if err != nil {
			return part{}, fmt.Errorf("explain: --shard %s: %w", text, err)
		}
		return p, nil
	}
	i, errI := strconv.Atoi(first)
	if errI != nil || errN != nil || i < 0 || i >= n {
		return part{}, fmt.Errorf("explain: --shard %q, want part i of n as in 3/8, i from 0 to n-1, or auto or auto/n in a job of many tasks", text)
	}
	return part{i, n}, nil
}

// The variables that a Slurm array and an Indexed Job of Kubernetes set for each of
// their tasks.
const (
	slurmPrefix = "SLURM_ARRAY_TASK_"
	podIndex    = "JOB_COMPLETION_INDEX"
)

// partOfJob is the part of the task that runs this, one of n, or of as many as the
// array has if n is 0.
func partOfJob(n int) (part, error) {
	_, slurm := os.LookupEnv(slurmPrefix + "ID")
	_, pod := os.LookupEnv(podIndex)
	switch {
	case slurm && pod:
		return part{}, fmt.Errorf("%sID and %s are both set, want one of them: name the part, as in --shard 3/8", slurmPrefix, podIndex)
	case slurm:
		return partOfArray(n)
	case pod && n == 0:
		return part{}, fmt.Errorf("%s is set, which does not tell how many parts there are, want the Job's completions as in --shard auto/8", podIndex)
	case pod:
		i, err := number(podIndex)
		if err == nil && i >= n {
			err = fmt.Errorf("%s is %d, want 0 to %d: the Job has more completions", podIndex, i, n-1)
		}
		return part{i, n}, err
	}
	return part{}, fmt.Errorf("neither %sID nor %s is set, want a task of a Slurm array or of an Indexed Job of Kubernetes; elsewhere name the part, as in --shard 3/8", slurmPrefix, podIndex)
}

// partOfArray is the part of a task of a Slurm array. A part must be the same whichever
// tasks are submitted a second time, and the array that Slurm tells of is then smaller:
// where this could be, it is an error.
func partOfArray(n int) (part, error) {
	values := make(map[string]int)
	for _, name := range []string{"ID", "COUNT", "MIN", "MAX", "STEP"} {
		v, err := number(slurmPrefix + name)
		if err != nil {
			return part{}, err
		}
		values[name] = v
	}
	id, count, first, last, step := values["ID"], values["COUNT"], values["MIN"], values["MAX"], max(values["STEP"], 1)
	array := fmt.Sprintf("a Slurm array of %d tasks, %d to %d", count, first, last)
	switch {
	case n > 0 && last >= n:
		return part{}, fmt.Errorf("%s, want tasks of 0 to %d: --array=0-%d", array, n-1, n-1)
	case n > 0:
		return part{id, n}, nil
	case count < 2 || first > 1:
		return part{}, fmt.Errorf("%s, which may be a part of the array of before, want the number of parts as in --shard auto/8, and an array from 0", array)
	case (last-first)/step+1 != count || id < first || id > last || (id-first)%step != 0:
		return part{}, fmt.Errorf("%s, with gaps, want all from the first to the last as in --array=0-7, or --shard auto/n", array)
	}
	return part{(id - first) / step, count}, nil
}

// number reads a variable that holds a number from 0.
func number(name string) (int, error) {
	text, ok := os.LookupEnv(name)
	if !ok {
		return 0, fmt.Errorf("%s is not set, want what Slurm sets for a task of an array", name)
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < 0 {
		return 0, fmt.Errorf("%s is %q, want a number from 0", name, text)
	}
	return v, nil
}

// cut returns the part of a list. No part may be empty: all of them fail alike,
// rather than one in a cluster.
func cut[T any](list []T, p part) ([]T, error) {
	if p.n > len(list) {
		return nil, fmt.Errorf("explain: --shard %v, want at most as many parts as images, %d", p, len(list))
	}
	return list[p.i*len(list)/p.n : (p.i+1)*len(list)/p.n], nil
}
