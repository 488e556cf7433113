import { LightningElement, api } from 'lwc';
import ask from '@salesforce/apex/LocalModelController.ask';

/** Asks about the record it stands on; what comes back is shown as text, never as markup. */
export default class CurtilageAsk extends LightningElement {
    @api recordId;
    @api purpose = '';
    instruction = '';
    busy = false;
    answer;
    problem;

    get cannotAsk() {
        return this.busy || !this.instruction.trim() || !this.purpose.trim();
    }

    handleInstruction(event) {
        this.instruction = event.target.value;
    }

    handlePurpose(event) {
        this.purpose = event.target.value;
    }

    async handleAsk() {
        this.busy = true;
        this.answer = undefined;
        this.problem = undefined;
        try {
            const answer = await ask({ recordId: this.recordId, instruction: this.instruction, purpose: this.purpose });
            if (answer.refused) {
                this.problem = `Refused: ${answer.reason}`;
            } else {
                this.answer = answer;
            }
        } catch (error) {
            this.problem = error.body?.message ?? 'The question could not be asked.';
        } finally {
            this.busy = false;
        }
    }
}
