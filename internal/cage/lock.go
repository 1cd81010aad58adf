package cage

// What locks a worker in, in the order in which it is applied.
const (
	lockMemory   = "memory"   // RLIMIT_DATA, and no files, core or processor time beyond need
	lockLandlock = "landlock" // no file, no port, no signal to others
	lockSeccomp  = "seccomp"  // no system call that computing does not need
)
