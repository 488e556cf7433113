import { createElement } from 'lwc';
import CurtilageAsk from 'c/curtilageAsk';
import ask from '@salesforce/apex/LocalModelController.ask';

jest.mock('@salesforce/apex/LocalModelController.ask', () => ({ default: jest.fn() }), { virtual: true });

const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

function made(purpose = 'contract-review') {
    const element = createElement('c-curtilage-ask', { is: CurtilageAsk });
    element.recordId = '500000000000001AAA';
    element.purpose = purpose;
    document.body.appendChild(element);
    return element;
}

async function typed(element, text) {
    const area = element.shadowRoot.querySelector('lightning-textarea');
    area.value = text;
    area.dispatchEvent(new CustomEvent('change'));
    await settled();
}

async function asked(element, text = 'Summarise.') {
    await typed(element, text);
    element.shadowRoot.querySelector('lightning-button').click();
    await settled();
}

afterEach(() => {
    document.body.replaceChildren();
    jest.clearAllMocks();
});

test('asks under the record and the purpose', async () => {
    ask.mockResolvedValue({ refused: false, text: 'A summary.', disclosure: 'By a model.', ledgerReference: 'call-1' });
    const element = made();
    await asked(element);
    expect(ask).toHaveBeenCalledWith({ recordId: '500000000000001AAA', instruction: 'Summarise.', purpose: 'contract-review' });
    expect(element.shadowRoot.querySelector('.answer').textContent).toBe('A summary.');
    expect(element.shadowRoot.querySelector('.disclosure').textContent).toBe('By a model.');
    expect(element.shadowRoot.querySelector('.reference').textContent).toContain('call-1');
});

test('shows markup in an answer as text', async () => {
    ask.mockResolvedValue({ refused: false, text: '<img src=x onerror=alert(1)>', disclosure: 'd', ledgerReference: 'r' });
    const element = made();
    await asked(element);
    expect(element.shadowRoot.querySelector('.answer img')).toBeNull();
});

test('shows a refusal with its reason and no answer', async () => {
    ask.mockResolvedValue({ refused: true, reason: 'curtilage.matter_denied' });
    const element = made();
    await asked(element);
    expect(element.shadowRoot.querySelector('.problem').textContent).toContain('curtilage.matter_denied');
    expect(element.shadowRoot.querySelector('.answer')).toBeNull();
});

test('tells what went wrong and can ask again', async () => {
    ask.mockRejectedValueOnce({ body: { message: 'The gateway cannot be reached. Try again later.' } });
    const element = made();
    await asked(element);
    expect(element.shadowRoot.querySelector('.problem').textContent).toContain('cannot be reached');
    expect(element.shadowRoot.querySelector('lightning-button').disabled).toBe(false);
});

test('does not ask without a purpose or an instruction', async () => {
    const element = made('');
    await typed(element, 'Summarise.');
    expect(element.shadowRoot.querySelector('lightning-button').disabled).toBe(true);
    const other = made();
    await typed(other, '   ');
    expect(other.shadowRoot.querySelector('lightning-button').disabled).toBe(true);
});
