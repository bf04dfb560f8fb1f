package main

import (
	goCrypto "crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	ic "github.com/libp2p/go-libp2p-core/crypto"
	"github.com/tron-us/go-btfs-common/crypto"
	escrowpb "github.com/tron-us/go-btfs-common/protos/escrow"
	exchangepb "github.com/tron-us/go-btfs-common/protos/exchange"
	"github.com/tron-us/protobuf/proto"
)

type wallet struct {
	key           ic.PrivKey
	ecdsa         *ecdsa.PrivateKey
	ledgerAddress []byte // 65 bytes
	tronAddress   []byte // 21 bytes
}

func newWallet(privateKey string) (*wallet, error) {
	key, err := crypto.GetPrivKeyFromHexOrBase64(privateKey)
	if err != nil {
		return nil, err
	}
	ecdsa, err := crypto.HexToECDSA(privateKey)
	if err != nil {
		return nil, err
	}
	ledgerAddress, err := ic.RawFull(key.GetPublic())
	if err != nil {
		return nil, err
	}
	tronAddress, err := crypto.PublicKeyToAddress(ecdsa.PublicKey)
	if err != nil {
		return nil, err
	}
	return &wallet{key, ecdsa, ledgerAddress, tronAddress.Bytes()}, nil
}

// The wallet signs deposits and withdrawals not by the library but by crypto/ecdsa: with a random nonce, and any S.
func (w *wallet) signChannel(message proto.Message) ([]byte, error) {
	raw, err := proto.Marshal(message)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(raw)
	return w.ecdsa.Sign(rand.Reader, hash[:], goCrypto.SHA256)
}

// A signature for each contract of the transaction, 65 bytes r || s || v over the SHA-256 of raw_data.
func (w *wallet) signTransaction(transaction *exchangepb.TronTransaction) error {
	if transaction.GetRawData().GetTimestamp() == 0 {
		return errors.New("the wallet would set the timestamp that is missing, and sign another transaction")
	}
	for range transaction.GetRawData().GetContract() {
		raw, err := proto.Marshal(transaction.GetRawData())
		if err != nil {
			return err
		}
		signature, err := crypto.EcdsaSign(w.ecdsa, raw)
		if err != nil {
			return err
		}
		transaction.Signature = append(transaction.Signature, signature)
	}
	return nil
}

// Serializes the result again, as the wallet does, and verifies that.
func verifyBalance(answer *escrowpb.SignedBalanceResult, escrowAddress []byte) error {
	key, err := crypto.ToPubKeyRaw(escrowAddress)
	if err != nil {
		return err
	}
	valid, err := crypto.Verify(key, answer.Result, answer.EscrowSignature)
	if err != nil || !valid {
		return fmt.Errorf("verify escrow failed: %v", err)
	}
	return nil
}
