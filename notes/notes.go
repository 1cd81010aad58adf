// Package notes holds the documents of Tangkal that are signed and travel:
// notices, dossiers, assessments, answers, receipts, ledger leaves, batches of
// notices and webhook bodies, with their schemas, canonical bytes, digests and signatures.
//
// A document is JSON in the canonical form of RFC 8785 with integers only and
// times as RFC 3339 UTC seconds. What people sign is its digest, SHA-256 over
// "tangkal/<kind>/v1\n" and the canonical bytes. The package holds no keys, asks
// no clock and imports nothing else of Tangkal, so that a platform, a court or
// an auditor can check a document with nothing but this package and the
// published keys. Its functions may be called by many goroutines at once.
package notes

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// Version is the number in field v of every document and in every digest.
const Version = 1

// Kind says what a document is. It is part of what is signed, so that a
// signature over one kind never counts for another.
type Kind string

// The kinds. KindSeal is what an organisation's key signs: see [SealBytes].
// KindBatch is what a person signs for several notices: see [Batch].
const (
	KindNotice     Kind = "notice"
	KindDossier    Kind = "dossier"
	KindAssessment Kind = "assessment"
	KindAnswer     Kind = "answer"
	KindReceipt    Kind = "receipt"
	KindLeaf       Kind = "leaf"
	KindWebhook    Kind = "webhook"
	KindSeal       Kind = "seal"
	KindBatch      Kind = "batch"
)

// Kinds returns every kind, in the order of the documentation.
func Kinds() []Kind {
	return []Kind{
		KindNotice, KindDossier, KindAssessment, KindAnswer,
		KindReceipt, KindLeaf, KindWebhook, KindSeal, KindBatch,
	}
}

// Known reports whether k is one of [Kinds].
func (k Kind) Known() bool { return slices.Contains(Kinds(), k) }

// MaxItems bounds the items of one notice, the locations of one dossier and the
// rows of one answer.
const MaxItems = 10_000

// Sizes of canonical bytes that [Validate] accepts. MaxItems items have some
// 400 bytes each in a notice, so that locations of ordinary length, up to about
// 250 characters, always fit; a dossier holds a file of evidence beside each.
const (
	MaxBytes        = 8 << 20 // any document, and what Canonical accepts: a dossier
	MaxNoticeBytes  = 4 << 20 // a notice, an answer
	MaxSmallBytes   = 1 << 20 // an assessment, a receipt, a seal
	MaxLeafBytes    = 8 << 10 // a ledger leaf
	MaxWebhookBytes = 20_000  // a webhook body: it says where to look, no more
)

// maxBytes is the limit of one kind.
func (k Kind) maxBytes() int {
	switch k {
	case KindDossier:
		return MaxBytes
	case KindNotice, KindAnswer:
		return MaxNoticeBytes
	case KindLeaf:
		return MaxLeafBytes
	case KindWebhook:
		return MaxWebhookBytes
	default:
		return MaxSmallBytes
	}
}

// Digest is what is signed: SHA-256 over "tangkal/<kind>/v1\n" and the
// canonical bytes. It does not check that the bytes are canonical.
func Digest(kind Kind, canonical []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte("tangkal/" + string(kind) + "/v1\n"))
	h.Write(canonical)
	return [32]byte(h.Sum(nil))
}

// Hex is a digest as documents name it: 64 lower-case hexadecimal digits.
func Hex(digest [32]byte) string { return hex.EncodeToString(digest[:]) }
