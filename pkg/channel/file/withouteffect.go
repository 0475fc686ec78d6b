package file

import "github.com/flumekit/flumekit/pkg/option"

// WithoutEffect are the properties of Flume's file channel that have no meaning
// here, nor where this one is a part of another channel.
type WithoutEffect struct {
	CheckpointDir            string        `name:"checkpointDir" notice:"the ledger takes the checkpoint's place; it lies in the channel's directory"`
	UseDualCheckpoints       option.Bool   `name:"useDualCheckpoints" default:"false" notice:"the ledger is kept twice anyway"`
	BackupCheckpointDir      string        `name:"backupCheckpointDir" notice:"the ledger is kept twice anyway"`
	CompressBackupCheckpoint option.Bool   `name:"compressBackupCheckpoint" default:"false" notice:"the ledger is small"`
	CheckpointInterval       option.Millis `name:"checkpointInterval" default:"30000" notice:"the ledger is written at every commit"`
	CheckpointOnClose        option.Bool   `name:"checkpointOnClose" default:"true" notice:"the ledger is written at every commit"`
	MaxFileSize              option.Bytes  `name:"maxFileSize" default:"1623195647" notice:"the store chooses its files' sizes itself"`
	UseLogReplayV1           option.Bool   `name:"use-log-replay-v1" default:"false" notice:"nothing is replayed when the channel is opened"`
	UseFastReplay            option.Bool   `name:"use-fast-replay" default:"false" notice:"nothing is replayed when the channel is opened"`
}
