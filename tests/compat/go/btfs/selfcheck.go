package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tron-us/go-btfs-common/crypto"
	"github.com/tron-us/go-btfs-common/ledger"
	escrowpb "github.com/tron-us/go-btfs-common/protos/escrow"
	exchangepb "github.com/tron-us/go-btfs-common/protos/exchange"
	ledgerpb "github.com/tron-us/go-btfs-common/protos/ledger"
	"github.com/tron-us/protobuf/proto"
)

type vector struct {
	Name              string
	SignedMessageType string          `json:"signed_message_type"`
	SignedMessageHex  string          `json:"signed_message_hex"`
	RequestHex        string          `json:"request_hex"`
	MessageHex        string          `json:"message_hex"`
	ResponseHex       string          `json:"response_hex"`
	EscrowAddressHex  string          `json:"escrow_public_key_hex"`
	ClientVerdict     string          `json:"client_verdict"`
	Fields            json.RawMessage // their shape is the message's
	Signatures        []struct {
		Signer string
		DerHex string `json:"der_hex"`
		HighS  bool   `json:"high_s"`
	}
	Label            string
	PrivateKeyHex    string `json:"private_key_hex"`
	LedgerAddressHex string `json:"ledger_address_hex"`
	TronAddressHex   string `json:"tron_address_hex"`
}

func load(o *options, name string) ([]vector, error) {
	text, err := os.ReadFile(filepath.Join(o.vectors, name))
	if err != nil {
		return nil, err
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, err
	}
	if len(file.Vectors) == 0 {
		return nil, fmt.Errorf("%s has no vectors", name)
	}
	return file.Vectors, nil
}

func selfcheck(o *options) error {
	keys, err := loadKeys(o)
	if err != nil {
		return err
	}
	for _, check := range []struct {
		file string
		of   func(map[string]*wallet, vector) (bool, error)
	}{
		{"keys.json", checkKey},
		{"signed.json", checkSigned},
		{"client.json", checkBalance},
		{"messages.json", checkExchange},
	} {
		vectors, err := load(o, check.file)
		if err != nil {
			return err
		}
		checked := 0
		for _, v := range vectors {
			applies, err := check.of(keys, v)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", check.file, v.Name+v.Label, err)
			}
			if applies {
				checked++
			}
		}
		emit(line{"checked": check.file, "vectors": checked})
	}
	return nil
}

// The wallets of the vectors by label, and by address.
func loadKeys(o *options) (map[string]*wallet, error) {
	vectors, err := load(o, "keys.json")
	if err != nil {
		return nil, err
	}
	keys := map[string]*wallet{}
	for _, v := range vectors {
		w, err := newWallet(v.PrivateKeyHex)
		if err != nil {
			return nil, err
		}
		keys[v.Label], keys[v.LedgerAddressHex] = w, w
	}
	return keys, nil
}

func equal(got []byte, want, what string) error {
	if hex.EncodeToString(got) != want {
		return fmt.Errorf("%s is %x, not %s", what, got, want)
	}
	return nil
}

func checkKey(keys map[string]*wallet, v vector) (bool, error) {
	w := keys[v.Label]
	return true, errors.Join(
		equal(w.ledgerAddress, v.LedgerAddressHex, "the ledger address"),
		equal(w.tronAddress, v.TronAddressHex, "the TRON address"))
}

// A number, perhaps in quotes.
type number int64

func (n *number) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(bytes.Trim(text, `"`), (*int64)(n))
}

type fields struct {
	Key         string `json:"key_hex"`
	Payer       string `json:"payer_key_hex"`
	Recipient   string `json:"recipient_key_hex"`
	From        string `json:"from_key_hex"`
	To          string `json:"to_key_hex"`
	Amount      number
	PayerID     number `json:"payer_id"`
	ID          number
	Sequence    number
	FromBalance number `json:"from_balance"`
	ToBalance   number `json:"to_balance"`
}

// The message that the flow would sign, made anew from the vector's fields.
func (f *fields) message(keys map[string]*wallet, kind string) (proto.Message, error) {
	switch kind {
	case "ledger.PublicKey":
		request, err := signedAccountRequest(keys[f.Key])
		return request.GetKey(), err
	case "ledger.ChannelCommit":
		commit, err := ledger.NewChannelCommit(keys[f.Payer].key.GetPublic(), keys[f.Recipient].key.GetPublic(), int64(f.Amount))
		if err == nil {
			commit.PayerId = int64(f.PayerID)
		}
		return commit, err
	case "ledger.TransferRequest":
		request, err := signedTransfer(keys[f.Payer], keys[f.Recipient].ledgerAddress, int64(f.Amount))
		return request.GetTransferRequest(), err
	case "ledger.ChannelState":
		return channelState(int64(f.ID), int64(f.Sequence), keys[f.From].key.GetPublic(), keys[f.To].key.GetPublic(),
			int64(f.FromBalance), int64(f.ToBalance))
	}
	return nil, nil
}

func checkSigned(keys map[string]*wallet, v vector) (bool, error) {
	var f fields
	if err := json.Unmarshal(v.Fields, &f); err != nil {
		return false, err
	}
	message, err := f.message(keys, v.SignedMessageType)
	if message == nil || err != nil {
		return false, err
	}
	raw, err := proto.Marshal(message)
	if err != nil {
		return false, err
	}
	if err := equal(raw, v.SignedMessageHex, "the message"); err != nil {
		return false, err
	}
	for _, s := range v.Signatures {
		w := keys[strings.TrimPrefix(strings.TrimPrefix(s.Signer, "from: "), "to: ")]
		if err := checkSignatures(w, message, s.DerHex, s.HighS); err != nil {
			return false, err
		}
	}
	return true, nil
}

// The library makes the same signature where it makes one at all, and takes the wallet's own.
func checkSignatures(w *wallet, message proto.Message, der string, highS bool) error {
	signature, err := crypto.Sign(w.key, message)
	if err != nil {
		return err
	}
	if !highS {
		if err := equal(signature, der, "the signature"); err != nil {
			return err
		}
	}
	own, err := w.signChannel(message)
	if err != nil {
		return err
	}
	given, err := hex.DecodeString(der)
	if err != nil {
		return err
	}
	for _, signature := range [][]byte{own, given} {
		if valid, err := crypto.Verify(w.key.GetPublic(), message, signature); err != nil || !valid {
			return fmt.Errorf("the signature %x does not verify: %v", signature, err)
		}
	}
	return nil
}

func checkBalance(_ map[string]*wallet, v vector) (bool, error) {
	response, err := hex.DecodeString(v.ResponseHex)
	if err != nil {
		return false, err
	}
	escrowAddress, err := hex.DecodeString(v.EscrowAddressHex)
	if err != nil {
		return false, err
	}
	var answer escrowpb.SignedBalanceResult
	if err := proto.Unmarshal(response, &answer); err != nil {
		return false, err
	}
	if accepted := verifyBalance(&answer, escrowAddress) == nil; accepted != (v.ClientVerdict == "accept") {
		return false, fmt.Errorf("accepted: %v", accepted)
	}
	return true, nil
}

// What the wallet of the vectors' deposit and withdrawal does with the gateway's answers.
func checkExchange(keys map[string]*wallet, v vector) (bool, error) {
	w := keys[`sha256 of "ledger vectors open key 1"`]
	raw, err := hex.DecodeString(v.MessageHex)
	if err != nil {
		return false, err
	}
	switch v.Name {
	case "deposit-request":
		return true, checkDeposit(w, raw)
	case "withdraw-request":
		return true, checkWithdraw(w, raw)
	case "confirm-deposit-success":
		var answer exchangepb.ConfirmDepositResponse
		if err := proto.Unmarshal(raw, &answer); err != nil {
			return false, err
		}
		return true, checkFrom(answer.SuccessChannelState)
	}
	return false, nil
}

// Signed again, the same bytes: the signature is deterministic.
func checkDeposit(w *wallet, raw []byte) error {
	var request exchangepb.DepositRequest
	if err := proto.Unmarshal(raw, &request); err != nil {
		return err
	}
	request.SignedTronTransaction.Signature = nil
	if err := w.signTransaction(request.SignedTronTransaction); err != nil {
		return err
	}
	again, err := proto.Marshal(&request)
	if err != nil {
		return err
	}
	return equal(again, hex.EncodeToString(raw), "the request")
}

// Made again, the same bytes but for the signatures, which are random.
func checkWithdraw(w *wallet, raw []byte) error {
	var request exchangepb.WithdrawRequest
	if err := proto.Unmarshal(raw, &request); err != nil {
		return err
	}
	success := request.SuccessChannelState.Channel
	prepared := &exchangepb.PrepareWithdrawResponse{Id: request.Id, LedgerExchangeAddress: success.To.Address.Key}
	made, err := withdrawRequest(w, prepared, success.Id.Id, success.To.Balance)
	if err != nil {
		return err
	}
	for _, states := range [][2]*ledgerpb.SignedChannelState{
		{made.SuccessChannelState, request.SuccessChannelState}, {made.FailureChannelState, request.FailureChannelState}} {
		for _, state := range states {
			if err := checkFrom(state); err != nil {
				return err
			}
		}
		states[0].FromSignature = states[1].FromSignature
	}
	again, err := proto.Marshal(made)
	if err != nil {
		return err
	}
	return equal(again, hex.EncodeToString(raw), "the request")
}

func checkFrom(state *ledgerpb.SignedChannelState) error {
	from, err := crypto.ToPubKeyRaw(state.Channel.From.Address.Key)
	if err != nil {
		return err
	}
	if valid, err := crypto.Verify(from, state.Channel, state.FromSignature); err != nil || !valid {
		return fmt.Errorf("the signature of 'from' does not verify: %v", err)
	}
	return nil
}
